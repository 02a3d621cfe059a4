#define LASTLAYER_ISA avx2
#define LASTLAYER_FLOAT64
#include "entry.hpp"
