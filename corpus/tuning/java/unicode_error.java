class Main { public static void main(String[] args) { int größe = "日本"; String s = “quoted”; char c = '😀'; } }
