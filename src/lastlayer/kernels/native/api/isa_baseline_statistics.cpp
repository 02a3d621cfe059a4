#define LASTLAYER_ISA baseline
#include "statistics_entry.hpp"
