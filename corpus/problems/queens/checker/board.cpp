// Arguments: input, output, answer. Speaks the protocol of testlib's checkers without its header: 0 all right, 1 wrong,
// 7 a part of the points, which stands at the beginning of standard error: one for each queen.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

int main(int, char **argv) {
    std::ifstream input(argv[1]), output(argv[2]);
    int n = 0, placed = 0;
    input >> n;
    std::vector<int> row(n, -1);
    for (int column = 0; column < n; column++) {
        int at;
        if (!(output >> at)) {
            std::cerr << "wrong answer column " << column + 1 << " is missing";
            return 1;
        }
        if (at < 0 || at > n) {
            std::cerr << "wrong answer row " << at << " is not on the board";
            return 1;
        }
        row[column] = at - 1;
        if (at == 0) continue;
        placed++;
        for (int left = 0; left < column; left++) {
            const int apart = row[left] - row[column];
            if (row[left] >= 0 && (apart == 0 || apart == column - left || apart == left - column)) {
                std::cerr << "wrong answer the queens of columns " << left + 1 << " and " << column + 1 << " see each other";
                return 1;
            }
        }
    }
    std::string more;
    if (output >> more) {
        std::cerr << "wrong answer there is more than " << n << " numbers";
        return 1;
    }
    if (placed == n) {
        std::cerr << "ok " << n << " queens";
        return 0;
    }
    std::fprintf(stderr, "points %d %d of %d queens", placed, placed, n);
    return 7;
}
