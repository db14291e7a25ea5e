// @benign ownership.cpp
// @what moves, copies and elision counted; unique_ptr with its own deleter, shared_ptr aliasing, weak_ptr, cycles, order of destruction
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=elided: 1 made 0 copied 0 moved 1 gone\npassed: 1 made 1 copied 2 moved 4 gone\nvector: 3 made 0 copied 2 moved 5 gone\nclosed 0\n2 2 5 1\nkept alive by its member 1, gone 1, owners 1\n6765 20 5
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

struct Counted {
    static int made, copied, moved, gone;
    Counted() { made++; }
    Counted(const Counted &) { copied++; }
    Counted(Counted &&) noexcept { moved++; }
    ~Counted() { gone++; }
    Counted &operator=(Counted) { return *this; }
};
int Counted::made, Counted::copied, Counted::moved, Counted::gone;
static Counted make() { return Counted(); }
static Counted pass(Counted c) { return c; }
static void report(const char *what)
{
    std::cout << what << ": " << Counted::made << " made " << Counted::copied << " copied " << Counted::moved
        << " moved " << Counted::gone << " gone\n";
    Counted::made = Counted::copied = Counted::moved = Counted::gone = 0;
}
struct Node : std::enable_shared_from_this<Node> { std::shared_ptr<Node> next; std::weak_ptr<Node> back; int n = 5; };

int main()
{
    { Counted a = make(); }
    report("elided");
    { Counted a = pass(make()); Counted b = std::move(a); Counted c = b; }
    report("passed");
    { std::vector<Counted> v; v.reserve(2); v.resize(2); v.emplace_back(); }
    report("vector");
    {
        auto closer = [](std::FILE *f) { std::cout << "closed " << std::fclose(f) << '\n'; };
        std::unique_ptr<std::FILE, decltype(closer)> f(std::fopen("/dev/null", "r"), closer);
    }
    auto a = std::make_shared<Node>(), b = std::make_shared<Node>();
    a->next = b, b->back = a;
    std::shared_ptr<int> inside(a, &a->n);
    std::cout << a.use_count() << ' ' << b.use_count() << ' ' << *inside << ' ' << (a->shared_from_this() == a) << '\n';
    a.reset();
    std::cout << "kept alive by its member " << !b->back.expired();
    inside.reset();
    std::cout << ", gone " << b->back.expired() << ", owners " << b.use_count() << '\n';
    std::function<int(int)> fib = [&](int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); };
    int calls = 0;
    auto counter = [calls]() mutable { return ++calls; };
    counter();
    std::cout << fib(20) << ' ' << counter() << calls << ' ' << std::invoke(&Node::n, *b) << '\n';
}
