#!/bin/sh
# state.sh DATA PEERS: say what this node holds of the cluster that has these peers.
#   member      its data, and it was healthy once
#   unfinished  data of a cluster that never was healthy: an interrupted first run
#   blank       nothing
#   foreign     data of a cluster with other members
set -eu
data=$1 peers=$2
# Lies beside the data: a disk that was replaced has lost both.
formed=$data.formed
if [ ! -d "$data/member" ]; then
    echo "state=blank"
elif [ ! -e "$formed" ]; then
    echo "state=unfinished"
elif [ "$(cat "$formed")" = "$peers" ]; then
    echo "state=member"
else
    echo "state=foreign"
fi
