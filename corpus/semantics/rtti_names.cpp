// @benign rtti_names.cpp
// @what dynamic_cast down, across and failing, typeid of polymorphic objects, virtual bases with one shared part, demangled names
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=zoo::Duck 2 legs, swims paddling\nzoo::Walks 4 legs, swims not\nbad_cast\none animal 1, whole object 1\nzoo::Cage<zoo::Duck, 3> int* [4] 2
#include <cstdlib>
#include <cxxabi.h>
#include <iostream>
#include <memory>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>
#include <vector>

namespace zoo {
struct Animal { int legs = 4; virtual ~Animal() = default; };
struct Swims { virtual ~Swims() = default; virtual const char *how() const { return "somehow"; } };
struct Walks : virtual Animal {};
struct Flies : virtual Animal {};
struct Duck final : Walks, Flies, Swims {
    Duck() { legs = 2; }
    const char *how() const override { return "paddling"; }
};
template <class T, int N> struct Cage {};
}

static std::string name(const std::type_info &t)
{
    std::unique_ptr<char, void (*)(void *)> p(abi::__cxa_demangle(t.name(), nullptr, nullptr, nullptr), std::free);
    return p.get();
}

int main()
{
    std::vector<std::unique_ptr<zoo::Animal>> all;
    all.push_back(std::make_unique<zoo::Duck>());
    all.push_back(std::make_unique<zoo::Walks>());
    std::unordered_map<std::type_index, int> count;
    for (auto &a : all) {
        const zoo::Animal &animal = *a;
        count[typeid(animal)]++;
        auto *s = dynamic_cast<zoo::Swims *>(a.get());
        std::cout << name(typeid(animal)) << ' ' << a->legs << " legs, swims " << (s ? s->how() : "not") << '\n';
    }
    try {
        dynamic_cast<zoo::Duck &>(*all[1]);
    } catch (const std::bad_cast &) {
        std::cout << "bad_cast\n";
    }
    zoo::Duck d;
    zoo::Walks &w = d;
    zoo::Flies &f = d;
    std::cout << "one animal " << (&static_cast<zoo::Animal &>(w) == &static_cast<zoo::Animal &>(f))
        << ", whole object " << (dynamic_cast<void *>(&f) == &d) << '\n';
    std::cout << name(typeid(zoo::Cage<zoo::Duck, 3>)) << ' ' << name(typeid(int *(&)[4])) << ' ' << count.size()
        << '\n';
}
