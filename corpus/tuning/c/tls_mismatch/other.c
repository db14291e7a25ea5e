__thread int value = 3;
