// @benign standard_names.cpp
// @what /dev/stdin as ifstream and /dev/stdout as ofstream, as judges' users write; cerr and clog go to stderr; arguments and environment arrive
// @limits cpu=5 wall=10
// @stdin 3 4 5
// @args first|ď
// @expect exit=0
// @expect out=sum 12\nby name\n2 arguments, last ď, LANG C.UTF-8, PATH set 1
// @expect stderr=one two
#include <cstdlib>
#include <fstream>
#include <iostream>

int main(int argc, char **argv)
{
    std::ifstream in("/dev/stdin");
    int sum = 0;
    for (int x; in >> x;) sum += x;
    std::cout << "sum " << sum << std::endl;
    std::ofstream("/dev/stdout") << "by name\n";
    std::cerr << "one ";
    std::clog << "two\n";
    const char *lang = std::getenv("LANG");
    std::cout << argc - 1 << " arguments, last " << argv[argc - 1] << ", LANG " << (lang ? lang : "missing")
        << ", PATH set " << (std::getenv("PATH") != nullptr) << '\n';
}
