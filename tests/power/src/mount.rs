//! A disk as a file system: a file of FUSE, a loop device on it, and ext4 on that.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyWrite, Request, WriteFlags,
};

use crate::disk::{Shared, locked};

const NAME: &str = "disk";
const FILE: INodeNo = INodeNo(2);
const TTL: Duration = Duration::from_secs(3600);

/// A folder with one file, which is the disk.
struct OneFile<A>(Shared<A>);

impl<A: Clone> OneFile<A> {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let is_file = inode == FILE;
        let size = if is_file { locked(&self.0).len() as u64 } else { 0 };
        FileAttr {
            ino: inode,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_file { FileType::RegularFile } else { FileType::Directory },
            perm: if is_file { 0o600 } else { 0o700 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl<A: Clone + Send + 'static> Filesystem for OneFile<A> {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&TTL, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attributes(inode));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        reply.data(locked(&self.0).read(offset as usize, size as usize));
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match locked(&self.0).write(offset as usize, data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(_) => reply.error(Errno::EIO),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Somebody closed the file, which says nothing about the disk.
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match locked(&self.0).flush() {
            Ok(()) => reply.ok(),
            Err(_) => reply.error(Errno::EIO),
        }
    }
}

/// Runs a program of the operating system and gives what it said.
fn run(program: &str, words: &[&OsStr]) -> Result<String> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(Error::other(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// An empty file system of so many bytes.
pub fn fresh(dir: &Path, bytes: u64) -> Result<Vec<u8>> {
    let path = dir.join("fresh");
    File::create(&path)?.set_len(bytes)?;
    let now = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
    run("mkfs.ext4", &["-q".as_ref(), "-E".as_ref(), now.as_ref(), path.as_ref()])?;
    let mut image = Vec::new();
    File::open(&path)?.read_to_end(&mut image)?;
    std::fs::remove_file(path)?;
    Ok(image)
}

/// A mounted disk. Dropped, it is unmounted.
pub struct Mounted {
    folder: PathBuf,
    device: Option<String>,
    mounted: bool,
    served: Option<BackgroundSession>,
}

impl Mounted {
    /// Mounts a disk below a folder, where no other was.
    pub fn new<A: Clone + Send + 'static>(disk: &Shared<A>, below: &Path) -> Result<Self> {
        let below = tempfile::tempdir_in(below)?.keep();
        let (served_at, folder) = (below.join("served"), below.join("mounted"));
        std::fs::create_dir_all(&served_at)?;
        std::fs::create_dir_all(&folder)?;
        let served = fuser::spawn_mount(OneFile(disk.clone()), &served_at, &Config::default())?;
        let mut mounted = Self { folder, device: None, mounted: false, served: Some(served) };
        let words = ["--find", "--show"].map(OsStr::new);
        mounted.device = Some(run("losetup", &[words.as_slice(), &[served_at.join(NAME).as_ref()]].concat())?);
        let device = mounted.device.clone().unwrap_or_default();
        let words = ["-t", "ext4", "-o", "noatime", &device].map(OsStr::new);
        run("mount", &[words.as_slice(), &[mounted.folder.as_ref()]].concat())?;
        mounted.mounted = true;
        Ok(mounted)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.mounted
            && let Err(cause) = run("umount", &[self.folder.as_ref()])
        {
            eprintln!("{cause}");
            let _lazily = run("umount", &["-l".as_ref(), self.folder.as_ref()]);
        }
        if let Some(device) = &self.device {
            let _gone = run("losetup", &["-d".as_ref(), device.as_ref()]);
        }
        if let Some(served) = self.served.take() {
            let _joined = served.umount_and_join();
        }
    }
}
