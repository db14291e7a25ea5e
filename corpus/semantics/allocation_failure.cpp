// @benign allocation_failure.cpp
// @what impossible sizes give bad_alloc, bad_array_new_length, length_error or null, never death; the new_handler is asked first; the program goes on
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=new: bad_alloc\nhandler asked 2\nnothrow: worked\nnull 1\nnegative: bad_array_new_length\nvector: length_error\nstring: length_error\nsmall: worked
#include <iostream>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

static int asked = 0;
static void handler() { if (++asked == 2) std::set_new_handler(nullptr); }

template <class F> static void attempt(const char *what, F f)
{
    try {
        f();
        std::cout << what << ": worked\n";
    } catch (const std::bad_array_new_length &) {
        std::cout << what << ": bad_array_new_length\n";
    } catch (const std::bad_alloc &) {
        std::cout << what << ": bad_alloc\n";
    } catch (const std::length_error &) {
        std::cout << what << ": length_error\n";
    }
}

int main()
{
    volatile std::size_t huge = std::numeric_limits<std::ptrdiff_t>::max() / 2;
    volatile long negative = -1;
    char *volatile p = nullptr;
    std::set_new_handler(handler);
    attempt("new", [&] { p = new char[huge]; });
    std::cout << "handler asked " << asked << '\n';
    attempt("nothrow", [&] { p = new (std::nothrow) char[huge]; });
    std::cout << "null " << (p == nullptr) << '\n';
    attempt("negative", [&] { p = reinterpret_cast<char *>(new int[negative]); });
    attempt("vector", [&] { std::vector<int> v(huge); });
    attempt("string", [&] { std::string s; s.reserve(std::numeric_limits<std::size_t>::max()); });
    attempt("small", [&] { std::vector<int> v(1000); p = reinterpret_cast<char *>(v.data()); });
}
