// A builder without a defect. Where memory, or the callback, is out of reach
// it gives up, and the ops goes without a trampoline.
//
// build: builder-good with=image-dyntramp.S,sites-regs-good.c,kernel.c
// build: builder-good-nopac cc=-mbranch-protection=none with=image-dyntramp.S,sites-regs-good.c,kernel.c
// build: builder-good-ssp cc=-fstack-protector-strong with=image-dyntramp.S,sites-regs-good.c,kernel.c
// build: builder-good-static link=static cc=-Os with=image-dyntramp.S,sites-regs-good.c,kernel.c

#include "builder.h"
#include "builder-rest.h"
