// @benign child_streams.cpp
// @what popen in a unique_ptr, a child by fork that throws and catches, flushing before fork, environment changed by setenv seen below
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=plum tree unset\nstatus 5\n588895 bytes from a child\ncaught in the child\nchild 6
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

static std::string output(const std::string &command, int &status)
{
    std::unique_ptr<FILE, int (*)(FILE *)> pipe(popen(command.c_str(), "r"), pclose);
    if (!pipe) throw std::runtime_error("popen");
    std::string all;
    char b[4096];
    while (size_t n = fread(b, 1, sizeof b, pipe.get())) all.append(b, n);
    status = WEXITSTATUS(pclose(pipe.release()));
    return all;
}

int main()
{
    int status = 0;
    setenv("FRUIT", "plum tree", 1);
    unsetenv("HOME");
    std::cout << output("echo \"$FRUIT ${HOME-unset}\"; exit 5", status) << "status " << status << '\n';
    std::string big = output("seq 1 100000", status);
    std::cout << big.size() << " bytes from a child" << std::endl;  /* flushed: the child below must not have it too */
    if (pid_t child = fork()) {
        waitpid(child, &status, 0);
        std::cout << "child " << WEXITSTATUS(status) << '\n';
    } else {
        try {
            throw std::out_of_range("in the child");
        } catch (const std::exception &e) {
            std::cout << "caught " << e.what() << '\n';
        }
        return 6;
    }
}
