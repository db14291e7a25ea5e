int main(void) {
    for (volatile unsigned day = 1;; day += 2)
        if (day == 0) return 0;
}
