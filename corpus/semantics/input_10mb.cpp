// @benign input_10mb.cpp
// @what 10 MB through cin without synchronisation: get, getline, read and iterators share one buffer; the state at the end
// @limits cpu=5 wall=10
// @stdin @10MB-digits
// @expect exit=0
// @expect out=0 12345678 901234567 10485742 nines 1048575\neof 1 fail 0 get -1 fail 1
#include <algorithm>
#include <iostream>
#include <iterator>
#include <string>

int main()
{
    std::ios::sync_with_stdio(false);
    std::cin.tie(nullptr);
    char c;
    std::string a, b(9, ' ');
    std::cin.get(c);
    std::getline(std::cin, a, '9');
    std::cin.unget();
    std::cin.read(&b[0], 9);
    std::string rest(std::istreambuf_iterator<char>(std::cin), {});
    std::cin.peek();
    std::cout << c << ' ' << a << ' ' << b << ' ' << rest.size() << " nines " << std::count(rest.begin(), rest.end(),
        '9') << '\n';
    std::cout << "eof " << std::cin.eof() << " fail " << std::cin.fail();
    int end = std::cin.get();
    std::cout << " get " << end << " fail " << std::cin.fail() << '\n';
}
