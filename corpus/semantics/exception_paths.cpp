// @benign exception_paths.cpp
// @what unwinding destroys in reverse, catch by base, rethrow, nested exceptions, function try blocks, exceptions from constructors, uncaught_exceptions
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=~3! ~2! ~1! ~0! 0:outer 1:deep \n~9! half 3 caught by base half made\nrethrown whole, same object\n10000 thrown and caught\nkept
#include <exception>
#include <iostream>
#include <stdexcept>
#include <typeinfo>

struct Guard {
    int n;
    ~Guard() { std::cout << '~' << n << (std::uncaught_exceptions() ? "! " : " "); }
};
struct Half {
    Guard part{9};
    Half() try { throw 3; } catch (int x) { std::cout << "half " << x << ' '; throw std::out_of_range("half made"); }
};
static void recurse(int n)
{
    Guard g{n};
    if (n == 3) throw std::invalid_argument("deep");
    recurse(n + 1);
}
static void wrap()
{
    try {
        recurse(0);
    } catch (...) {
        std::throw_with_nested(std::runtime_error("outer"));
    }
}
static void tell(const std::exception &e, int depth)
{
    std::cout << depth << ':' << e.what() << ' ';
    try {
        std::rethrow_if_nested(e);
    } catch (const std::exception &inner) {
        tell(inner, depth + 1);
    }
}

int main()
{
    try { wrap(); } catch (const std::exception &e) { tell(e, 0); }
    std::cout << '\n';
    try { Half h; } catch (const std::logic_error &e) { std::cout << "caught by base " << e.what() << '\n'; }
    try {
        try { throw std::overflow_error("same object"); } catch (std::exception &e) { throw; }
    } catch (const std::overflow_error &e) { std::cout << "rethrown whole, " << e.what() << '\n'; }
    int thrown = 0;
    for (int i = 0; i < 20000; i++) try { if (i % 2) throw i; } catch (int) { thrown++; }
    std::cout << thrown << " thrown and caught\n";
    std::exception_ptr p = std::make_exception_ptr(std::domain_error("kept"));
    try { std::rethrow_exception(p); } catch (const std::domain_error &e) { std::cout << e.what() << '\n'; }
}
