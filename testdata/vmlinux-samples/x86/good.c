// A builder without a defect, and entry code without one.
//
// build: good link=static with=image-good.S,sites-good.c,kernel.c
// build: good-moved link=static def=BASE=0xffffffff92345000 with=image-good.S,kernel.c,sites-good.c

#include "builder.h"
#include "builder-rest.h"
