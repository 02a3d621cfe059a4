#define LASTLAYER_ISA avx512
#include "statistics_entry.hpp"
