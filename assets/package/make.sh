#!/bin/bash
# Make a .deb and a tarball of a built Halodi: make.sh BINARY FOLDER.
# With --tree as a third argument only the tree that both pack is made, in FOLDER/tree.
set -euo pipefail

binary=$1
folder=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -1)
machine=$(uname -m)

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
tree=$folder/tree
rm -rf "$tree"

install -D -m 755 "$binary" "$tree/bin/halodi"
command -v strip >/dev/null && strip "$tree/bin/halodi"
share=$tree/share
install -D -m 644 -t "$share/applications" "$here/halodi.desktop"
install -D -m 644 -t "$share/icons/hicolor/scalable/apps" "$here/halodi.svg"
install -D -m 644 -t "$share/icons/hicolor/256x256/apps" "$here/halodi.png"
install -D -m 644 -t "$share/mime/packages" "$here/halodi.xml"
install -D -m 644 -t "$share/doc/halodi" "$root/README.md" "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$here/copyright"
install -m 644 "$root/assets/weights/README.md" "$share/doc/halodi/weights.md"
mkdir -p "$share/man/man1"
sed "s/@VERSION@/$version/" "$here/halodi.1" | gzip -9n > "$share/man/man1/halodi.1.gz"
[ "${3:-}" = --tree ] && exit 0

# What the program asks of the system's C library: the oldest system that it starts on.
glibc=$(objdump -T "$tree/bin/halodi" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
glibc=${glibc#GLIBC_}
# The same sources make the same packages.
stamp=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH=$stamp

tarball=$folder/halodi-$version-$machine-linux.tar.gz
tar -C "$tree" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$stamp" \
    --transform "s,^\.,halodi-$version," -cf - . | gzip -9n > "$tarball"

architecture=$(dpkg --print-architecture 2>/dev/null || true)
if [ -z "$architecture" ]; then
    echo "$tarball (no dpkg here, so no .deb)"
    exit 0
fi
package=$folder/package
rm -rf "$package"
mkdir -p "$package/usr" "$package/DEBIAN"
cp -a "$tree/." "$package/usr/"
cat > "$package/DEBIAN/control" <<CONTROL
Package: halodi
Version: $version
Section: science
Priority: optional
Architecture: $architecture
Installed-Size: $(du -sk "$package/usr" | cut -f1)
Depends: libc6 (>= $glibc), libgcc-s1, libstdc++6
Recommends: libvulkan1, mesa-vulkan-drivers, libxkbcommon-x11-0, libxcursor1, libxi6, libxrandr2
Suggests: zenity
Maintainer: the authors of Halodi <halodi@localhost>
Description: 21 cm maps from dark-matter snapshots, live
 HALO turns dark matter into halo mass maps, LODI, a diffusion model, paints
 the 21 cm brightness temperature on tiles, and latent overlap joins the tiles
 while they are being denoised. Weights and a demonstration are inside.
CONTROL
find "$package" -exec touch --no-dereference --date="@$stamp" {} +
deb=$folder/halodi_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$package" "$deb" >/dev/null
rm -rf "$package"
echo "$tarball"
echo "$deb (needs glibc $glibc or newer)"
