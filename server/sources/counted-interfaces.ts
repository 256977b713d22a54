/**
 * Which network interfaces count: those where bytes enter or leave the host, so that no byte is
 * counted twice. By name: this needs no privileges and no further reads, and it is right inside
 * containers, whose way out is a veth pair like those left out here, but is called `eth0`.
 */
const LOOPBACK = /^(?:lo|Loopback)/;

// By how the names begin. What passes these stays inside the host, or passes a real one as well.
const COUNTED_ELSEWHERE = new RegExp(
  [
    "^(?:veth|vnet|vmnet|vmbr|tap|fwbr|fwln|fwpr|vEthernet)", // guests
    "^(?:docker|podman|lxc|lxd|incus|br|virbr|ovs)", // bridges to the guests
    "^(?:cni|cali|cilium|flannel|kube|weave|vxlan|geneve)", // clusters
    "^(?:tun|utun|wg|tailscale|zt|ppp|ip|sit|gre|gif|stf)", // tunnels
    "^(?:bond|team|macv|vlan)", // made of real interfaces, or a part of one …
    String.raw`\.\d+$`, // … like eth0.100
    "^(?:dummy|ifb|nlmon|teql)", // queues and mirrors of the kernel
    "^(?:awdl|llw|ap1|anpi)", // macOS: side channels of the Wi-Fi and USB chips
  ].join("|"),
);

/**
 * The interfaces to count, of all there are. When only virtual ones exist, all of them but the
 * loopback: the way out of a rootless container may be called `tap0`.
 */
export function countedInterfaces(names: Iterable<string>): string[] {
  const outside = [...names].filter((name) => !LOOPBACK.test(name));
  const real = outside.filter((name) => !COUNTED_ELSEWHERE.test(name));
  return real.length > 0 ? real : outside;
}
