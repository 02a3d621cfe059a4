// The namespace of one instruction set. Each api/isa_*.cpp compiles every header below it once, with its flags, into
// the namespace LASTLAYER_ISA and an unnamed one inside it: no instantiation is shared between instruction sets, where
// the linker would keep one copy of each for all of them. For the same reason none of these headers uses a template or
// an inline function of the standard library that is more than a type.
#pragma once

// An editor or `g++ -fsyntax-only` opens a header alone: the compiler's flags say which instruction set it is then.
#if !defined(LASTLAYER_ISA)
#if defined(__AVX512F__)
#define LASTLAYER_ISA avx512
#define LASTLAYER_ISA_NAME "avx512"
#elif defined(__AVX2__)
#define LASTLAYER_ISA avx2
#define LASTLAYER_ISA_NAME "avx2"
#else
#define LASTLAYER_ISA baseline
#define LASTLAYER_ISA_NAME "baseline"
#endif
#endif

// Bytes of a vector.
#if defined(__AVX512F__)
#define LASTLAYER_BYTES 64
#elif defined(__AVX2__)
#define LASTLAYER_BYTES 32
#else
#define LASTLAYER_BYTES 16
#endif
