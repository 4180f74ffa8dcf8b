// A builder without a defect, and entry code without one.
//
// build: good link=static with=image-good.S,sites-good.c,kernel.c

#include "builder.h"
#include "builder-rest.h"
