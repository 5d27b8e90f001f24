// The generator of Salmon et al. 2011 against the authors' own code.
#include <softscore/core/philox.hpp>

#include "catch.hpp"

#include <array>
#include <cstdint>
#include <random>

#include <Random123/philox.h>

using softscore::philox;

using counter = std::array<std::uint32_t, 4>;
using cipher_key = std::array<std::uint32_t, 2>;

// It is constexpr, so the known answers (Random123's kat_vectors) can be had from the compiler.
static_assert(philox(counter{0, 0, 0, 0}, cipher_key{0, 0}) ==
              counter{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
static_assert(philox(counter{0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu},
                     cipher_key{0xffffffffu, 0xffffffffu}) ==
              counter{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
static_assert(philox(counter{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u},
                     cipher_key{0xa4093822u, 0x299f31d0u}) ==
              counter{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});

TEST_CASE("Philox has the published answers at run time", "[core]") {
  CHECK((philox(counter{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, cipher_key{0xa4093822u, 0x299f31d0u}) ==
         counter{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

TEST_CASE("Philox is Random123's, for any counter and key", "[core]") {
  std::mt19937 engine{1};
  const auto word = [&] { return static_cast<std::uint32_t>(engine()); };
  std::size_t different = 0;
  for (int i = 0; i < 100000; ++i) {
    const counter c{word(), word(), word(), word()};
    const cipher_key k{word(), word()};
    const r123::Philox4x32::ctr_type theirs{{c[0], c[1], c[2], c[3]}};
    const auto wanted = r123::Philox4x32{}(theirs, r123::Philox4x32::key_type{{k[0], k[1]}});
    if (philox(c, k) != counter{wanted[0], wanted[1], wanted[2], wanted[3]}) ++different;
  }
  CHECK(different == 0);
}
