//! A guest without a system: the test host's kernel, and one program on a disk of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::build;
use crate::power::log::{self, Cut};
use crate::power::{file_length, lacking};
use crate::problem::{Context, Problem, Result};
use crate::soak::mix::Dice;

/// The disk of the store.
const DISK_BYTES: u64 = 64 << 20;
const MEMORY_MIB: &str = "256";
/// The newer of both kernels of the test host.
const KERNEL: &str = "6.12";

/// Mounts the disk and starts the program, with the words of the kernel's command line; what it says goes to the console.
const INIT: &str = r#"#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
while read -r m; do /bin/busybox insmod "/m/$m"; done </m/order
while [ ! -b /dev/vda ]; do /bin/busybox usleep 20000; done
exec >/dev/ttyS0 2>&1 </dev/null
/bin/busybox stty -F /dev/ttyS0 -onlcr
/bin/busybox mkdir -p /mnt
/bin/busybox mount -t ext4 /dev/vda /mnt
for word in $(/bin/busybox cat /proc/cmdline); do
    case $word in torture=*) words="$words ${word#torture=}" ;; esac
done
/lib64/ld-linux-x86-64.so.2 --library-path /lib64 /store_torture $words
echo "the program ended with exit code $?"
/bin/busybox reboot -f
"#;

/// What every guest starts with.
#[derive(Debug)]
pub struct Image {
    kernel: PathBuf,
    initrd: PathBuf,
}

impl Image {
    /// Puts the program and what it links beside the test host's own first file system.
    pub fn make(scratch: &Path) -> Result<Image> {
        let build_image = build::root().join("xtask/testhost/build-image.sh");
        checked(&mut Command::new(build_image))?;
        let host = host_image()?;
        let program = build::torture()?;
        let tree = scratch.join("initrd.d");
        let libraries = tree.join("lib64");
        fs::create_dir_all(&libraries).or_problem(libraries.display().to_string(), "free some disk")?;
        put(&program, &tree.join("store_torture"))?;
        for library in libraries_of(&program)? {
            put(&library, &libraries.join(library.file_name().unwrap_or_default()))?;
        }
        let init = tree.join("init");
        fs::write(&init, INIT).or_problem(init.display().to_string(), "free some disk")?;
        checked(Command::new("chmod").arg("755").arg(&init))?;
        // The kernel unpacks one archive over the other.
        let initrd = scratch.join("initrd");
        let script = "cat \"$1\" >\"$3\" && cd \"$2\" && find . | cpio -o -H newc --quiet >>\"$3\"";
        let base = host.join(format!("initrd-{KERNEL}"));
        checked(Command::new("sh").args(["-ec", script, "initrd"]).args([&base, &tree, &initrd]))?;
        Ok(Image { kernel: host.join(format!("vmlinuz-{KERNEL}")), initrd })
    }
}

/// The disk, what it was when the guest started, and what was written to it since.
#[derive(Debug)]
pub struct Disk {
    now: PathBuf,
    before: PathBuf,
    log: PathBuf,
}

impl Disk {
    /// An empty ext4.
    pub fn make(scratch: &Path) -> Result<Disk> {
        let disk =
            Disk { now: scratch.join("disk.raw"), before: scratch.join("before.raw"), log: scratch.join("disk.log") };
        let file = fs::File::create(&disk.now).or_problem(disk.now.display().to_string(), "set TMPDIR")?;
        file.set_len(DISK_BYTES).or_problem(disk.now.display().to_string(), "free some disk")?;
        checked(Command::new("mke2fs").args(["-q", "-t", "ext4", "-E", "lazy_itable_init=1"]).arg(&disk.now))?;
        Ok(disk)
    }

    /// Before a guest starts: keeps what is on it, and begins a new log.
    pub fn keep(&self) -> Result<()> {
        checked(Command::new("cp").arg("--sparse=always").args([&self.now, &self.before]))?;
        fs::write(&self.log, []).or_problem(self.log.display().to_string(), "free some disk")
    }

    /// After the guest's end: makes of it what a power cut would have left at the moment when so much of the log was
    /// written.
    pub fn cut(&self, at: u64, dice: &mut Dice) -> Result<Cut> {
        let read = |path: &Path| fs::read(path).or_problem(path.display().to_string(), "run it again");
        let mut disk = read(&self.before)?;
        let cut = log::cut(&mut disk, &read(&self.log)?, at, dice);
        fs::write(&self.now, disk).or_problem(self.now.display().to_string(), "free some disk")?;
        Ok(cut)
    }
}

/// A running one. It is ended with this, and with the thread that started it.
pub struct Guest {
    qemu: Child,
    lines: Receiver<(String, u64)>,
    reader: Option<JoinHandle<()>>,
}

impl Guest {
    /// Starts the program with this seed, to work on or to come to its end.
    pub fn start(image: &Image, disk: &Disk, seed: u64, durable: bool, finish: bool) -> Result<Guest> {
        let seed = seed.to_string();
        let mut words = vec!["--folder", "/mnt/store", "--seed", &seed];
        if !durable {
            words.extend(["--sync", "off"]);
        }
        if finish {
            words.push("--finish");
        }
        // As the test host is started: on a busy host a kernel that measures its clocks itself may wait for them for ever.
        let clocks = "no_timer_check tsc=reliable";
        // And it says that the host was away for long, in the middle of a line; only its last words are of use.
        let mut told =
            format!("console=ttyS0 loglevel=1 {clocks} mitigations=off nokaslr panic=-1 random.trust_cpu=on");
        words.iter().for_each(|word| told += &format!(" torture={word}"));
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"])
            .args([
                "-no-reboot",
                "-machine",
                "pc,vmport=off,hpet=off,usb=off",
                "-cpu",
                "Nehalem",
                "-accel",
                "tcg,tb-size=128",
            ])
            .args(["-smp", "1", "-m", MEMORY_MIB, "-nic", "none", "-serial", "stdio", "-append", &told])
            .arg("-kernel")
            .arg(&image.kernel)
            .arg("-initrd")
            .arg(&image.initrd);
        for (name, path) in [("file", &disk.now), ("log", &disk.log)] {
            command.arg("-blockdev").arg(format!("driver=file,node-name={name},filename={}", path.display()));
        }
        let logged = format!("driver=blklogwrites,node-name=disk,file=file,log=log,log-sector-size={}", log::SECTOR);
        command.args(["-blockdev", &logged, "-device", "virtio-blk-pci,drive=disk,write-cache=on"]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut qemu = spawned.map_err(|error| lacking(format!("QEMU did not start: {error}")))?;
        let stdout = qemu.stdout.take().ok_or_else(|| lacking("QEMU has no output"))?;
        let (sender, lines) = mpsc::channel();
        let log = disk.log.clone();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n') {
                let (Ok(line), Ok(written)) = (line, file_length(&log)) else { return };
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if sender.send((line, written)).is_err() {
                    return;
                }
            }
        });
        Ok(Guest { qemu, lines, reader: Some(reader) })
    }

    /// The next line, and how much of the log of the disk is written.
    pub fn line(&mut self, patience: Duration) -> Result<(String, u64)> {
        if let Ok(line) = self.lines.recv_timeout(patience) {
            return Ok(line);
        }
        self.end()?;
        let mut said = String::new();
        if let Some(mut stderr) = self.qemu.stderr.take() {
            stderr.read_to_string(&mut said).or_problem("QEMU's messages", "run it again")?;
        }
        let told = format!("the guest said nothing for {} s, or ended: {said}", patience.as_secs());
        Err(Problem::new(told, "run `cargo xtask power` on an idle machine"))
    }

    /// Ends it as a power cut does.
    pub fn end(&mut self) -> Result<()> {
        self.qemu.kill().or_problem("QEMU can't be ended", "end it by hand")?;
        self.qemu.wait().or_problem("QEMU is lost", "run it again")?;
        if let Some(reader) = self.reader.take() {
            reader.join().map_err(|_| Problem::new("the reader of QEMU panicked", "read why above"))?;
        }
        Ok(())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if self.reader.is_some()
            && let Err(problem) = self.end()
        {
            eprintln!("xtask: {problem}");
        }
    }
}

/// Where `build-image.sh` leaves the test host's kernels.
fn host_image() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("VM_DIR").or_else(|| {
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("engined-vm"))
    });
    Ok(folder.ok_or_else(|| Problem::new("there is no home folder", "set VM_DIR"))?.join("image"))
}

/// The libraries that a program links, the one that loads them among them.
fn libraries_of(program: &Path) -> Result<Vec<PathBuf>> {
    let output =
        Command::new("ldd").arg(program).output().or_problem("ldd did not start", "apt-get install libc-bin")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(found.map(PathBuf::from).collect())
}

fn put(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(|_| ()).or_problem(format!("{} to {}", from.display(), to.display()), "free some disk")
}

/// Runs a command that has to succeed.
fn checked(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| lacking(format!("{command:?} did not start: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(lacking(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr))))
}
