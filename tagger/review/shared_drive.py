"""Does a file lie on a drive of another machine? There SQLite's write-ahead log is not safe."""

from collections.abc import Iterable
from pathlib import Path

import psutil

NETWORK = ("9p", "afpfs", "afs", "cifs", "davfs", "ncpfs", "nfs", "nfs4", "smb", "smb2", "smb3", "smbfs", "webdav")
CLUSTER = ("beegfs", "ceph", "gfs2", "gpfs", "lustre", "ocfs2", "orangefs")
MACHINE = ("vboxsf", "virtiofs")  # of the computer around a virtual machine
FUSE = ("fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.sshfs")
KINDS = frozenset((*NETWORK, *CLUSTER, *MACHINE, *FUSE))


def on_shared_drive(path: Path) -> bool:
    """Whether a file lies, or would lie, on a drive of another machine; False where that cannot be found out."""
    try:
        mounts = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
        return kind_of(path.resolve(), mounts) in KINDS
    except (OSError, RuntimeError, psutil.Error):
        return False


def kind_of(path: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """The kind of the file system that ``path`` (absolute) is on; of two at one place, the later one counts.

    >>> kind_of(Path("/net/photos/a.db"), [("/", "ext4"), ("/net", "NFS4"), ("/network", "xfs")])
    'nfs4'
    """
    found = [(len(place), kind) for place, kind in mounts if path.is_relative_to(place)]
    longest = max((length for length, _ in found), default=0)
    return next((kind.casefold() for length, kind in reversed(found) if length == longest), "")
