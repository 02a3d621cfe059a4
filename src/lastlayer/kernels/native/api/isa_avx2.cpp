#define LASTLAYER_ISA avx2
#define LASTLAYER_ISA_NAME "avx2"
#include "entry.hpp"
