// @benign noexcept_handler.cpp
// @what a throw out of a noexcept function goes to the program's terminate handler, which can still see the exception and choose an exit code
// @limits cpu=5 wall=10
// @expect exit=37
// @expect out=handler: escaped
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>

static void handler()
{
    try {
        std::rethrow_exception(std::current_exception());
    } catch (const std::exception &e) {
        std::cout << "handler: " << e.what() << std::endl;
    }
    std::_Exit(37);
}
static void careless(int n) noexcept { if (n > 0) throw std::logic_error("escaped"); }

int main(int argc, char **)
{
    std::set_terminate(handler);
    careless(argc);
}
