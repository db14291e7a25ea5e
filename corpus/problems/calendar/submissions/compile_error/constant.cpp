int main() {
    const int day = 1;
    day = 2;
}
