print "no Java"
