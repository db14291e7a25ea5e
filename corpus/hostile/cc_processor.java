// @hostile cc_processor.java
// @group compile
// @tries names an annotation processor among its files: code of the sender's that the compiler would run
// @limits cpu=6 wall=15 mem=512 procs=128 out=1 disk=64 ccwall=20
// @expect OK,CE   (never an internal error)
// @check stdout!~ESCAPED ; cmpout!~ESCAPED
// @file META-INF/services/javax.annotation.processing.Processor:"Evil"
// @file javac.opts:"-processor\ Evil"
// @file Evil.java:"import\ java.util.*;\ import\ javax.annotation.processing.*;\ import\ javax.lang.model.element.*;\ @SupportedAnnotationTypes("*")\ public\ class\ Evil\ extends\ AbstractProcessor\ {\ static\ {\ System.out.println("ESCAPED:\ a\ processor\ ran");\ }\ @Override\ public\ boolean\ process(Set<?\ extends\ TypeElement>\ a,\ RoundEnvironment\ r)\ {\ return\ false;\ }\ }"
// @severity hard
// @layer api
// @invariants up noproc nowrite noleft return<=30s
public class Main {
    @Deprecated static void annotated() { }
    public static void main(String[] a) { System.out.println("end"); }
}
