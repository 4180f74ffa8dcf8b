// The functions that turn callsites on and off, without a defect.

#include "sites.h"
#include "sites-rest.h"
