// @benign memory_resources.cpp
// @what polymorphic allocators, over-aligned new, placement new and launder, replaced operator new counts what containers ask for
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=list 5 allocations, balanced 1\narena 0 allocations, inside 1\narena exhausted\naligned 0 256\nplaced 1
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <list>
#include <memory_resource>
#include <new>
#include <string>
#include <vector>

static long news = 0, deletes = 0;
void *operator new(std::size_t n) { news++; if (void *p = std::malloc(n)) return p; throw std::bad_alloc(); }
void operator delete(void *p) noexcept { deletes++; std::free(p); }
void operator delete(void *p, std::size_t) noexcept { deletes++; std::free(p); }

struct alignas(256) Wide { char c[256]; };

int main()
{
    long before = news;
    { std::list<int> l{1, 2, 3, 4, 5}; }
    std::cout << "list " << news - before << " allocations, balanced " << (news - before == deletes) << '\n';
    char arena[4096];
    std::pmr::monotonic_buffer_resource pool(arena, sizeof arena, std::pmr::null_memory_resource());
    before = news;
    {
        std::pmr::vector<std::pmr::string> v(&pool);
        v.reserve(8);
        for (int i = 0; i < 8; i++) v.emplace_back("a string that is too long for the small buffer");
        auto *p = v[7].data();
        std::cout << "arena " << news - before << " allocations, inside " << (p > arena && p < arena + sizeof arena)
            << '\n';
        try {
            v.reserve(1000);
        } catch (const std::bad_alloc &) {
            std::cout << "arena exhausted\n";
        }
    }
    Wide *w = new Wide;
    std::cout << "aligned " << reinterpret_cast<std::uintptr_t>(w) % 256 << ' ' << alignof(Wide) << '\n';
    delete w;
    alignas(std::string) unsigned char raw[sizeof(std::string)];
    auto *s = new (raw) std::string("placed");
    std::cout << *std::launder(reinterpret_cast<std::string *>(raw)) << ' ' << (static_cast<void *>(s) == raw) << '\n';
    s->~basic_string();
}
