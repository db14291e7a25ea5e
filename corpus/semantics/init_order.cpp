// @benign init_order.cpp
// @what constants first, then dynamic initialisation in the order of the source, function statics when first reached, members in order of declaration
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=1 8 41 6\nearly from_constant late main lazy base base-hook first second derived-hook end
#include <iostream>
#include <string>

static int note(const char *what, int v)
{
    static std::string log;
    log += (log.empty() ? "" : " ") + std::string(what);
    if (std::string(what) == "end") std::cout << log << '\n';
    return v;
}
extern int late;
extern const int constant;
static int early = note("early", late + 1);       /* late is not initialised yet: still zero */
static int from_constant = note("from_constant", constant + 1);
int late = note("late", 41);
const int constant = 7;                            /* constant initialisation: before anything dynamic */
constexpr int factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }
static_assert(factorial(10) == 3628800, "at compile time");

struct Base {
    Base() { note("base", 0); hook(); }
    virtual ~Base() = default;
    virtual void hook() { note("base-hook", 0); }
};
struct Member { explicit Member(const char *n) { note(n, 0); } };
struct Derived : Base {
    Member first, second;
    Derived() : Base(), first("first"), second("second") { hook(); }
    void hook() override { note("derived-hook", 0); }
};
static int &lazy() { static int v = note("lazy", 5); return v; }

int main()
{
    note("main", 0);
    lazy()++;
    std::cout << early << ' ' << from_constant << ' ' << late << ' ' << lazy() << '\n';
    Derived d;
    note("end", 0);
}
