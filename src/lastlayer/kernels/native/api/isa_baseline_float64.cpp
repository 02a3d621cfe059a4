#define LASTLAYER_ISA baseline
#define LASTLAYER_FLOAT64
#include "entry.hpp"
