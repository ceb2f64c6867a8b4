# A repository: written, packed, looked at, cloned.
set -e
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' GIT_CONFIG_GLOBAL=/dev/null HOME=$PWD
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q -b main r
cd r
for i in $(seq 12); do
  seq $((i * 1500)) >numbers
  mkdir -p d$i && seq $i 900 >d$i/f
  git add .
  git commit -q -m "commit $i"
done
git log --stat --format=%H | sha256sum
git repack -q -a -d --threads=2 --depth=20 --window=50 -f
git fsck --full 2>&1
git blame numbers | sha256sum
git grep -c 77 | sha256sum
cd ..
git clone -q --no-local r copy
git -C copy rev-parse HEAD
git -C copy rebase -q -f --root 2>/dev/null
git -C copy rev-parse 'HEAD^{tree}'
