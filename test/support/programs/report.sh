#!/bin/sh
# Notes in the file $1 that it was started, and says how, a line of base64 each: its command line
# and its environment, as the kernel has them.
echo started >> "$1"
base64 -w 0 "/proc/$$/cmdline"
echo
base64 -w 0 "/proc/$$/environ"
echo
