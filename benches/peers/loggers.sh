# Read by make-peers.sh:
#   loggers.cpio   s6-log, and who writes much
tree loggers busybox-static,coreutils,s6
cp "$here/loggers.init" "$out/loggers/init"
chmod 755 "$out/loggers/init"
pack loggers
