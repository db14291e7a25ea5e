// @benign abort_handler.cpp
// @what a SIGABRT handler that returns does not save the program: abort raises again; SIGTERM handled by std::signal before that
// @limits cpu=5 wall=10
// @expect signal=SIGABRT
// @expect out=terminated 1\nlast words
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <unistd.h>

static volatile std::sig_atomic_t terminated = 0;
extern "C" void on_term(int) { terminated = terminated + 1; }
extern "C" void on_abort(int)
{
    if (write(1, "last words\n", 11) != 11) _exit(1);
}

int main()
{
    std::signal(SIGTERM, on_term);
    std::signal(SIGABRT, on_abort);
    std::raise(SIGTERM);
    std::cout << "terminated " << terminated << std::endl;
    std::abort();
}
