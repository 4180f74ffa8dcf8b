// Site functions without a defect, built with KASAN: the compiler has them call a
// check before each access (outline), or look up shadow bytes (inline), and poison
// the shadow bytes of their stack.
//
// build: sites-callops-good-kasan cc=-fsanitize=kernel-address cc=-fasan-shadow-offset=0xdfff800000000000 cc=--param=asan-instrumentation-with-call-threshold=0 cc=--param=asan-stack=1 cc=--param=asan-globals=0 with=image-callops.S,kernel.c,kasan.c
// build: sites-callops-good-kasan-inline cc=-fsanitize=kernel-address cc=-fasan-shadow-offset=0xdfff800000000000 cc=--param=asan-instrumentation-with-call-threshold=10000 cc=--param=asan-stack=1 cc=--param=asan-globals=0 with=image-callops.S,kernel.c,kasan.c

#include "sites-callops-good.c"
