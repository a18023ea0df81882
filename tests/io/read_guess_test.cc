#include "io/read_guess.h"

#include <gtest/gtest.h>

namespace shuntfs {
namespace {

// How many reads are believed to miss until the next is guessed to hit.
uint32_t Pause(ReadGuess& guess) {
  uint32_t reads = 0;
  while (!guess.InMemory()) ++reads;
  return reads;
}

TEST(ReadGuessTest, BeginsWithHope) {
  ReadGuess guess;
  EXPECT_EQ(Pause(guess), 0u);
  EXPECT_EQ(Pause(guess), 0u);
}

TEST(ReadGuessTest, PausesLongerTheMoreGuessesWereWrong) {
  ReadGuess guess;
  for (uint32_t pause = ReadGuess::kFirstPause; pause < ReadGuess::kLongestPause; pause *= 2) {
    guess.WasWrong();
    EXPECT_EQ(Pause(guess), pause);
  }
  for (int i = 0; i < 3; ++i) {
    guess.WasWrong();
    EXPECT_EQ(Pause(guess), ReadGuess::kLongestPause);
  }
}

TEST(ReadGuessTest, OneHitForgetsTheMisses) {
  ReadGuess guess;
  for (int i = 0; i < 5; ++i) {
    guess.WasWrong();
    Pause(guess);
  }
  guess.WasRight();
  EXPECT_EQ(Pause(guess), 0u);
  guess.WasWrong();
  EXPECT_EQ(Pause(guess), ReadGuess::kFirstPause);
}

}  // namespace
}  // namespace shuntfs
