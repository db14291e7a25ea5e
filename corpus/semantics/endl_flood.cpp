// @benign endl_flood.cpp
// @what 100,000 lines with std::endl, as beginners write them: as many write calls, 700,000 bytes, none lost and quick enough
// @limits cpu=5 wall=10
// @expect exit=0
// @expect outlen=700000
#include <iomanip>
#include <iostream>

int main()
{
    std::cout << std::setfill('0');
    for (int i = 0; i < 100000; i++) std::cout << std::setw(6) << i << std::endl;
}
