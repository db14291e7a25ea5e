n = int(input())
raise SystemExit(n)
