#include <vector>

int main() {
    std::vector<int> cities;
    cities.push_back("Paris");
    std::vector<std::vector<int>> all = cities;
}
