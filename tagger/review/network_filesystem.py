"""Detection of network filesystems, where SQLite's write-ahead log is not safe."""

from collections.abc import Iterable
from pathlib import Path

import psutil

NETWORK_TYPES = (
    "9p",
    "afpfs",
    "afs",
    "cifs",
    "davfs",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb",
    "smb2",
    "smb3",
    "smbfs",
    "webdav",
)
CLUSTER_TYPES = ("beegfs", "ceph", "gfs2", "gpfs", "lustre", "ocfs2", "orangefs")
HOST_SHARE_TYPES = ("vboxsf", "virtiofs")  # of the computer around a virtual machine
FUSE_TYPES = ("fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.sshfs")
REMOTE_TYPES = frozenset((*NETWORK_TYPES, *CLUSTER_TYPES, *HOST_SHARE_TYPES, *FUSE_TYPES))


def on_network_filesystem(path: Path) -> bool:
    """Whether a file lies, or would lie, on a drive of another machine; False where that cannot be found out."""
    try:
        mounts = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
        return filesystem_type(path.resolve(), mounts) in REMOTE_TYPES
    except (OSError, RuntimeError, psutil.Error):
        return False


def filesystem_type(path: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """The kind of the file system that ``path`` (absolute) is on; of two at one place, the later one counts.

    >>> filesystem_type(Path("/net/photos/a.db"), [("/", "ext4"), ("/net", "NFS4"), ("/network", "xfs")])
    'nfs4'
    """
    found = [(len(place), kind) for place, kind in mounts if path.is_relative_to(place)]
    longest = max((length for length, _ in found), default=0)
    return next((kind.casefold() for length, kind in reversed(found) if length == longest), "")
