// @benign exit_order.cpp
// @what exit(9) deep inside: locals of main are not destroyed, statics and atexit functions run in reverse order of their making, cout is flushed
// @limits cpu=5 wall=10
// @expect exit=9
// @expect out=+global\n+local\n+lazy\n+last\nmain\n-last\natexit2\n-lazy\natexit1\n-global
#include <cstdlib>
#include <iostream>

struct Noisy {
    const char *name;
    explicit Noisy(const char *n) : name(n) { std::cout << '+' << name << '\n'; }
    ~Noisy() { std::cout << '-' << name << '\n'; }
};
static Noisy global("global");
static void in_function() { static Noisy lazy("lazy"); }
static void at_first() { std::cout << "atexit1\n"; }
static void at_second() { std::cout << "atexit2\n"; }
static void deep(int n) { if (n) deep(n - 1); else std::exit(9); }

int main()
{
    Noisy local("local");
    std::atexit(at_first);
    in_function();
    std::atexit(at_second);
    static Noisy last("last");
    in_function();
    std::cout << "main\n";
    deep(50);
}
