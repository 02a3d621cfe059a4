#define LASTLAYER_ISA baseline
#define LASTLAYER_ISA_NAME "baseline"
#include "entry.hpp"
