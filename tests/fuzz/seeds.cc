// Writes the seeds of every target under a directory, and the targets' names to standard output.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/target.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const penstock::fuzz::Target& target : penstock::fuzz::AllTargets()) {
    const std::filesystem::path directory = std::filesystem::path(argv[1]) / target.name;
    std::filesystem::create_directories(directory);
    int number = 0;
    for (const std::string& seed : target.seeds())
      std::ofstream(directory / ("seed-" + std::to_string(number++))) << seed;
    std::printf("%s\n", target.name);
  }
}
