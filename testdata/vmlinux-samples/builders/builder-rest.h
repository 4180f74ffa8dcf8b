#include "builder-aim.h"
#include "builder-create.h"
#include "builder-update.h"
