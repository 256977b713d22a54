import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countedInterfaces } from "../../../server/sources/counted-interfaces.ts";

describe("countedInterfaces", () => {
  test.each([
    [
      "a laptop with guests and a tunnel",
      "lo wlp3s0 docker0 br-1f0c veth9a8b virbr0 wg0",
      "wlp3s0",
    ],
    ["a server with a bond and VLANs", "lo eth0 eth1 bond0 bond0.100 eth0.7 vlan5", "eth0 eth1"],
    ["a bridge over a real interface", "lo enp1s0 br0 vmbr0 tap100i0 fwbr100i0", "enp1s0"],
    ["a cluster's node", "lo ens5 cni0 flannel.1 cali1a2b lxc7f cilium_host vxlan.calico", "ens5"],
    ["a container", "lo eth0", "eth0"],
    ["a virtual machine with queues of the kernel", "lo ifb0 ifb1 dummy0 eth0", "eth0"],
    ["mobile, USB and InfiniBand", "lo wwan0 usb0 ib0 enx00e0", "wwan0 usb0 ib0 enx00e0"],
    ["macOS", "lo0 gif0 stf0 anpi0 en0 en1 ap1 bridge0 awdl0 llw0 utun0 utun3", "en0 en1"],
  ])("of %s counts what enters or leaves it", (_, names, counted) => {
    expect(countedInterfaces(names.split(" "))).toEqual(counted.split(" "));
  });

  test("knows the names of Windows, which are words", () => {
    const real = ["Ethernet", "Ethernet 2", "Wi-Fi", "Local Area Connection", "2.5 GbE"];
    const virtual = ["Loopback Pseudo-Interface 1", "vEthernet (WSL)"];
    expect(countedInterfaces([...virtual, ...real])).toEqual(real);
  });

  test("counts virtual ones when there is nothing else, but never the loopback", () => {
    expect(countedInterfaces(["lo", "tap0"])).toEqual(["tap0"]);
    expect(countedInterfaces(["lo", "lo0", "Loopback Pseudo-Interface 1"])).toEqual([]);
    expect(countedInterfaces([])).toEqual([]);
  });

  test("only leaves out, and leaves nothing out twice", () => {
    const name = fc.oneof(fc.constantFrom("lo", "eth0", "veth1", "tun0", "eth0.5"), fc.string());
    fc.assert(
      fc.property(fc.array(name), (names) => {
        const counted = countedInterfaces(names);
        expect(names).toEqual(expect.arrayContaining(counted));
        expect(countedInterfaces(counted)).toEqual(counted);
      }),
    );
  });
});
