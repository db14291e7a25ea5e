/* quick-link: takes the place of gcc's collect2 and links with gold where that makes the same program; else it executes
 * the real collect2, with the arguments that it was given.
 *
 * gold takes a third of the time that the default linker does, and makes a program that does the same, of plain objects.
 * It differs in corners: orphan sections, common symbols, versions, symbols that the linker itself defines,
 * initialisation by priority, executable stacks, text relocations, objects of link-time optimisation. So whatever is not
 * on the lists below goes to the default linker. And it has other words: when it says anything at all, or fails, what it
 * said is dropped and the default linker does the work. There are never more processes than without: collect2 would wait
 * for its linker as well.
 *
 * Made and used by the recipes of c.toml and cpp.toml. It reads what a stranger's compile has made, in that compile's own
 * sandbox: a mistake in it can do what the compile could do anyway. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOLD "/usr/bin/ld.gold"
#define LIBM "/usr/lib/x86_64-linux-gnu/libm.so.6"
#define NAME "quick-link"

static int starts(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

static int one_of(const char *text, const char *const *list) {
    for (; *list; list++)
        if (strcmp(text, *list) == 0) return 1;
    return 0;
}

/* `name`, or `name` and something behind a dot. */
static int is_or_below(const char *text, const char *name) {
    size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && (text[length] == 0 || text[length] == '.');
}

/* Symbols that linkers define, each in its own way. */
static const char *const LINKERS[] = {"end", "_end", "etext", "_etext", "__etext", "edata", "_edata", "__bss_start",
    "__executable_start", "__ehdr_start", "__GNU_EH_FRAME_HDR", "_DYNAMIC", "__data_start", "data_start",
    "__init_array_start", "__init_array_end", "__fini_array_start", "__fini_array_end", "__preinit_array_start",
    "__preinit_array_end", "__rela_iplt_start", "__rela_iplt_end", "__dso_handle", "_init", "_fini", NULL};

/* What the default linker does with it is what every other does. */
static int plain_section(const char *name, const Elf64_Shdr *section) {
    const uint64_t kinds = SHF_WRITE | SHF_ALLOC | SHF_EXECINSTR | SHF_TLS;
    const uint64_t known = kinds | SHF_MERGE | SHF_STRINGS | SHF_INFO_LINK | SHF_GROUP | SHF_COMPRESSED;
    uint64_t kind = section->sh_flags & kinds;
    if (section->sh_flags & ~known) return 0;
    switch (section->sh_type) {
    case SHT_NULL: case SHT_SYMTAB: case SHT_STRTAB: case SHT_RELA: case SHT_GROUP: return 1;
    case SHT_NOBITS:
        return (is_or_below(name, ".bss") && kind == (SHF_ALLOC | SHF_WRITE)) ||
               (is_or_below(name, ".tbss") && kind == (SHF_ALLOC | SHF_WRITE | SHF_TLS));
    case SHT_INIT_ARRAY: return strcmp(name, ".init_array") == 0;
    case SHT_NOTE: return strcmp(name, ".note.gnu.property") == 0;
    case SHT_X86_64_UNWIND: return strcmp(name, ".eh_frame") == 0;
    case SHT_PROGBITS: break;
    default: return 0;
    }
    if (kind == 0) return strcmp(name, ".comment") == 0 || starts(name, ".debug_") || strcmp(name, ".note.GNU-stack") == 0;
    if (kind == (SHF_ALLOC | SHF_EXECINSTR)) return is_or_below(name, ".text");
    if (kind == SHF_ALLOC)
        return is_or_below(name, ".rodata") || is_or_below(name, ".gcc_except_table") || strcmp(name, ".eh_frame") == 0;
    if (kind == (SHF_ALLOC | SHF_WRITE)) return is_or_below(name, ".data");
    return kind == (SHF_ALLOC | SHF_WRITE | SHF_TLS) && is_or_below(name, ".tdata");
}

struct object {
    const char *bytes;
    uint64_t size;
    const Elf64_Shdr *sections;
    unsigned count;
};

/* `count` things of `each` bytes in the object, or nothing where they would not be in it. */
static const void *within(const struct object *o, uint64_t offset, uint64_t count, uint64_t each) {
    if (offset > o->size || offset % 4 || count > (o->size - offset) / each) return NULL;
    return o->bytes + offset;
}

/* A text of a table of texts. */
static const char *text_at(const struct object *o, const Elf64_Shdr *table, uint64_t offset) {
    const char *texts;
    if (table->sh_offset > o->size || table->sh_size > o->size - table->sh_offset) return NULL;
    texts = o->bytes + table->sh_offset;
    if (offset >= table->sh_size || texts[table->sh_size - 1]) return NULL;
    return texts + offset;
}

/* Maps a file. */
static int open_object(struct object *o, const char *path, unsigned type) {
    struct stat meta;
    const Elf64_Ehdr *head;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    if (fstat(file, &meta) || !S_ISREG(meta.st_mode) || meta.st_size < (off_t)sizeof(Elf64_Ehdr)) return 0;
    o->size = (uint64_t)meta.st_size;
    o->bytes = mmap(NULL, o->size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (o->bytes == MAP_FAILED) return 0;
    head = (const Elf64_Ehdr *)o->bytes;
    if (memcmp(head->e_ident, ELFMAG, SELFMAG) || head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_type != type ||
        head->e_machine != EM_X86_64 || head->e_shentsize != sizeof(Elf64_Shdr))
        return 0;
    o->count = head->e_shnum;
    o->sections = within(o, head->e_shoff, o->count, sizeof(Elf64_Shdr));
    return o->sections && o->count && head->e_shstrndx < o->count;
}

/* The symbols of libm. Where no object wants one of them, gold need not read it: --as-needed would leave it out. */
static struct {
    struct object file;
    const Elf64_Shdr *names;
    const Elf64_Sym *symbols;
    uint64_t symbol_count, words;
    const uint32_t *hash;
    int known, wanted;
} libm;

static void open_libm(void) {
    unsigned i;
    if (!open_object(&libm.file, LIBM, ET_DYN)) return;
    for (i = 0; i < libm.file.count; i++) {
        const Elf64_Shdr *section = &libm.file.sections[i];
        if (section->sh_type == SHT_DYNSYM && section->sh_link < libm.file.count) {
            libm.names = &libm.file.sections[section->sh_link];
            libm.symbol_count = section->sh_size / sizeof(Elf64_Sym);
            libm.symbols = within(&libm.file, section->sh_offset, libm.symbol_count, sizeof(Elf64_Sym));
        } else if (section->sh_type == SHT_GNU_HASH) {
            libm.words = section->sh_size / 4;
            libm.hash = within(&libm.file, section->sh_offset, libm.words, 4);
        }
    }
    libm.known = libm.names && libm.symbols && libm.hash && libm.words > 4;
}

/* Whether libm defines it: its table of hashes, as the loader reads it. */
static int of_libm(const char *name) {
    uint32_t hash = 5381, buckets = libm.hash[0], first = libm.hash[1], bloom = libm.hash[2];
    uint64_t chains = 4 + 2 * (uint64_t)bloom + buckets, at;
    const char *c;
    for (c = name; *c; c++) hash = hash * 33 + (unsigned char)*c;
    if (!buckets || chains > libm.words) return 1;
    at = libm.hash[4 + 2 * (uint64_t)bloom + hash % buckets];
    if (!at) return 0;
    for (;; at++) {
        const char *other;
        uint64_t chain = chains + at - first;
        if (at < first || chain >= libm.words || at >= libm.symbol_count) return 1;
        other = text_at(&libm.file, libm.names, libm.symbols[at].st_name);
        if ((libm.hash[chain] | 1) == (hash | 1) && (!other || strcmp(other, name) == 0)) return 1;
        if (libm.hash[chain] & 1) return 0;
    }
}

static int plain_symbols(const struct object *o, const Elf64_Shdr *section) {
    uint64_t count = section->sh_size / sizeof(Elf64_Sym), i;
    const Elf64_Sym *symbols = within(o, section->sh_offset, count, sizeof(Elf64_Sym));
    if (!symbols || section->sh_link >= o->count) return 0;
    for (i = 0; i < count; i++) {
        const char *name = text_at(o, &o->sections[section->sh_link], symbols[i].st_name);
        unsigned type = ELF64_ST_TYPE(symbols[i].st_info), visibility = ELF64_ST_VISIBILITY(symbols[i].st_other);
        if (!name || type == STT_GNU_IFUNC || type == STT_COMMON) return 0;
        if (symbols[i].st_shndx == SHN_COMMON || symbols[i].st_shndx == SHN_XINDEX) return 0;
        if (visibility != STV_DEFAULT && visibility != STV_HIDDEN) return 0;
        if (strchr(name, '@') || starts(name, "__start_") || starts(name, "__stop_")) return 0;
        if (strcmp(name, "__dso_handle") != 0 && one_of(name, LINKERS)) return 0;
        if (symbols[i].st_shndx == SHN_UNDEF && *name && libm.known && !libm.wanted) libm.wanted = of_libm(name);
    }
    return 1;
}

/* An address in what shall not be written makes the default linker speak up. */
static int plain_relocations(const struct object *o, const Elf64_Shdr *section) {
    uint64_t count = section->sh_size / sizeof(Elf64_Rela), i;
    const Elf64_Rela *all = within(o, section->sh_offset, count, sizeof(Elf64_Rela));
    const Elf64_Shdr *target;
    if (!all || section->sh_info >= o->count) return 0;
    target = &o->sections[section->sh_info];
    if (!(target->sh_flags & SHF_ALLOC) || (target->sh_flags & SHF_WRITE)) return 1;
    for (i = 0; i < count; i++) {
        unsigned type = ELF64_R_TYPE(all[i].r_info);
        if (type == R_X86_64_64 || type == R_X86_64_32 || type == R_X86_64_32S || type == R_X86_64_16 || type == R_X86_64_8)
            return 0;
    }
    return 1;
}

static int plain_object(const char *path) {
    struct object o = {0};
    unsigned i, stacks = 0;
    const Elf64_Shdr *names;
    if (!open_object(&o, path, ET_REL)) return 0;
    names = &o.sections[((const Elf64_Ehdr *)o.bytes)->e_shstrndx];
    for (i = 0; i < o.count; i++) {
        const Elf64_Shdr *section = &o.sections[i];
        const char *name = text_at(&o, names, section->sh_name);
        if (!name || !plain_section(name, section)) return 0;
        stacks += strcmp(name, ".note.GNU-stack") == 0;
        if (section->sh_type == SHT_SYMTAB && !plain_symbols(&o, section)) return 0;
        if (section->sh_type == SHT_RELA && !plain_relocations(&o, section)) return 0;
    }
    return stacks == 1;
}

static const char *const FLAGS[] = {"--build-id", "--eh-frame-hdr", "--hash-style=gnu", "--hash-style=both",
    "--as-needed", "--push-state", "--pop-state", "-pie", NULL};
static const char *const LIBRARIES[] = {"-lgcc", "-lgcc_s", "-lc", "-lm", "-lstdc++", "-lpthread", NULL};
static const char *const STARTS[] = {"Scrt1.o", "crti.o", "crtbeginS.o", "crtendS.o", "crtn.o", NULL};

/* How many arguments there are of a kind that both linkers take in the same way: 0 for any other. */
static int known(char **args) {
    const char *arg = args[0], *next = args[1], *base;
    if (one_of(arg, FLAGS) || one_of(arg, LIBRARIES) || starts(arg, "-L/")) return 1;
    if (next && strcmp(arg, "-m") == 0 && strcmp(next, "elf_x86_64") == 0) return 2;
    if (next && strcmp(arg, "-z") == 0 && (strcmp(next, "relro") == 0 || strcmp(next, "now") == 0)) return 2;
    if (next && strcmp(arg, "-o") == 0) return 2;
    if (next && strcmp(arg, "-dynamic-linker") == 0) return 2;
    base = strrchr(arg, '/');
    if (!base) return 0;
    if (starts(arg, "/usr/lib/") && one_of(base + 1, STARTS)) return 1;
    return starts(arg, "/tmp/") && plain_object(arg) ? 1 : 0;
}

/* The real one is where gcc's own plugin is. */
static void collect2(char **args) {
    static char path[4096];
    const char *beside = getenv("COLLECT_LTO_WRAPPER"), *slash;
    int i;
    for (i = 1; args[i] && args[i + 1]; i++)
        if (strcmp(args[i], "-plugin") == 0) beside = args[i + 1];
    slash = beside ? strrchr(beside, '/') : NULL;
    if (slash && slash - beside < 4000) {
        memcpy(path, beside, (size_t)(slash - beside) + 1);
        strcpy(path + (slash - beside) + 1, "collect2");
        args[0] = path;
        execv(path, args);
    }
    fprintf(stderr, NAME ": the real collect2 can't be started: %s\n", slash ? strerror(errno) : "it is not known where");
    exit(1);
}

/* Whether gold made the program, and had nothing to say about it. */
static int gold_does(char **args) {
    posix_spawn_file_actions_t streams;
    struct stat said;
    pid_t gold;
    int status, words = memfd_create(NAME, MFD_CLOEXEC);
    if (words < 0 || posix_spawn_file_actions_init(&streams) ||
        posix_spawn_file_actions_adddup2(&streams, words, STDOUT_FILENO) ||
        posix_spawn_file_actions_adddup2(&streams, words, STDERR_FILENO) ||
        posix_spawn(&gold, GOLD, &streams, NULL, args, environ))
        return 0;
    while (waitpid(gold, &status, 0) < 0)
        if (errno != EINTR) return 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 && fstat(words, &said) == 0 && said.st_size == 0;
}

int main(int argc, char **argv) {
    char **gold = calloc((size_t)argc + 1, sizeof(char *));
    int i = 1, count = 1, kept = 1;
    if (!gold) collect2(argv);
    open_libm();
    gold[0] = (char *)NAME;
    while (i < argc) {
        int taken;
        /* Of objects that are none of link-time optimisation the plugin has nothing to say. */
        if (strcmp(argv[i], "-plugin") == 0) { i += 2; continue; }
        if (starts(argv[i], "-plugin-opt=")) { i++; continue; }
        taken = known(argv + i);
        if (!taken) collect2(argv);
        while (taken--) gold[count++] = argv[i++];
    }
    if (argc < 2 || i != argc) collect2(argv);
    for (i = 1; i < count; i++)
        if (libm.wanted || !libm.known || strcmp(gold[i], "-lm") != 0) gold[kept++] = gold[i];
    gold[kept] = NULL;
    if (gold_does(gold)) return 0;
    collect2(argv);
    return 1;
}
