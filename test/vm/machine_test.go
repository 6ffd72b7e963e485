//go:build vm

// Package vm boots baked disk images in virtual machines: a real kernel, real
// udev, cgroup v2 with all controllers, reboots and power cuts.
// test/vm/run.sh makes the images and runs it on each.
package vm

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

var (
	image = flag.String("image", "", "the `directory` of a disk image, as test/vm/image.sh makes it")
	accel = flag.String("accel", "tcg", "qemu's `accelerator`: tcg, or kvm where that works")
	cuts  = flag.Int("cuts", 10, "how often the power is cut in each test of that")
	seed  = flag.Uint64("seed", 0, "what the moments of the cuts are made of; 0 is something new")
)

// patience bounds every wait. Software emulation on a busy machine is slow; a
// machine that is stuck stays stuck.
const patience = 10 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	if *image == "" {
		fmt.Println("skipped: no -image (run: make vm)")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// machine is a virtual machine that is switched on.
type machine struct {
	*testing.T
	dir   string
	qemu  *exec.Cmd
	ended chan struct{} // closed when qemu has ended
	agent *guestAgent
}

// settings are what a machine is switched on with.
type settings struct {
	// disc is an image of a disc in its drive; "" is none.
	disc string
	// kernel are arguments for the kernel, beside those that all have.
	kernel string
	// clock is what the machine's clock shows; the zero time is now.
	clock time.Time
	// disks are the files of more disks, by their serial number: the machine has
	// /dev/disk/by-id/virtio-SERIAL.
	disks map[string]string
	// cpus are the processors, where they are not to be as many as usual.
	cpus string
}

// newDisk returns a disk that begins as the baked image, which stays as it is.
func newDisk(t *testing.T) string {
	t.Helper()
	base, err := filepath.Abs(filepath.Join(*image, "disk.raw"))
	if err != nil {
		t.Fatal(err)
	}
	disk := filepath.Join(t.TempDir(), "disk.qcow2")
	run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, disk)
	return disk
}

// copyDisk returns a copy of a disk of a machine that is switched off.
func copyDisk(t *testing.T, disk string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "disk.qcow2")
	run(t, "cp", disk, copied)
	return copied
}

// newDisc returns a disc as NoCloud has it, for an instance of that id.
func newDisc(t *testing.T, instance, userData string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir+"/user-data", userData)
	write(t, dir+"/meta-data", "instance-id: "+instance+"\nlocal-hostname: vm\n")
	return newISO(t, "cidata", dir)
}

// newISO returns an image of a disc with what is in a directory.
func newISO(t *testing.T, label, dir string) string {
	t.Helper()
	iso := filepath.Join(t.TempDir(), "disc.iso")
	run(t, "genisoimage", "-quiet", "-volid", label, "-joliet", "-rock", "-follow-links", "-o", iso, dir)
	return iso
}

// newBlank returns a disk that has nothing on it.
func newBlank(t *testing.T) string {
	t.Helper()
	blank := filepath.Join(t.TempDir(), "blank.raw")
	run(t, "truncate", "-s", "64M", blank)
	return blank
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// boot switches a machine on, and returns when the guest agent answers in it.
// A test that fails prints the console and the journal.
func boot(t *testing.T, disk string, s settings) *machine {
	t.Helper()
	m := &machine{T: t, dir: t.TempDir(), ended: make(chan struct{})}
	m.qemu = exec.Command("qemu-system-x86_64", m.arguments(disk, s)...)
	m.qemu.Stderr = os.Stderr
	m.qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also when the tests are called off
	if err := m.qemu.Start(); err != nil {
		t.Fatalf("qemu: %v (install qemu-system-x86)", err)
	}
	go func() {
		_ = m.qemu.Wait()
		close(m.ended)
	}()
	t.Cleanup(m.end)
	m.connect()
	return m
}

func (m *machine) arguments(disk string, s settings) []string {
	cpu, cpus := "host", "2"
	if *accel == "tcg" {
		// With more than this, qemu 7.2's emulation has had guests panic: of two emulated processors one now and then
		// executes what the other, patching the kernel's code, has half written ("Oops: int3").
		cpu, cpus = "Nehalem,cx16=off", "1"
	}
	if s.cpus != "" {
		cpus = s.cpus
	}
	base := func(name string) string { return filepath.Join(*image, name) }
	kernel := "root=/dev/vda rw console=ttyS0 mitigations=off audit=0 loglevel=4 systemd.show_status=error " +
		"random.trust_cpu=on tsc=reliable " + s.kernel
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-M", "pc", "-accel", *accel, "-cpu", cpu, "-smp", cpus, "-m", "1G",
		"-kernel", base("vmlinuz"), "-initrd", base("initrd"), "-append", kernel,
		"-drive", "if=none,id=disk,format=qcow2,cache=writeback,discard=unmap,file=" + disk,
		"-device", "virtio-blk-pci,drive=disk",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=agent,server=on,wait=off,path=" + m.socket("agent"),
		"-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
		"-device", "virtio-rng-pci", "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
		"-qmp", "unix:" + m.socket("qmp") + ",server=on,wait=off", "-serial", "file:" + m.socket("console"),
	}
	if s.disc != "" {
		args = append(args, "-drive", "if=none,id=disc,format=raw,readonly=on,file="+s.disc, "-device", "virtio-blk-pci,drive=disc")
	}
	for serial, file := range s.disks {
		args = append(args, "-drive", "if=none,id="+serial+",format=raw,cache=writeback,file="+file,
			"-device", "virtio-blk-pci,drive="+serial+",serial="+serial)
	}
	if *accel == "tcg" && cpus == "1" {
		// The machine's clock counts what its processor executes, two nanoseconds for each instruction: however busy this
		// machine is, time limits within are what they are.
		args = append(args, "-icount", "shift=1")
	}
	if !s.clock.IsZero() {
		args = append(args, "-rtc", "base="+s.clock.UTC().Format("2006-01-02T15:04:05"))
	}
	return args
}

func (m *machine) socket(name string) string { return filepath.Join(m.dir, name) }

// connect waits until the guest agent answers.
func (m *machine) connect() {
	m.Helper()
	deadline := time.Now().Add(patience)
	for {
		agent, err := dialAgent(m.socket("agent"))
		if err == nil {
			m.agent = agent
			return
		}
		if !m.alive() || time.Now().After(deadline) {
			m.Fatalf("no guest agent: %v; the console:\n%s", err, m.console())
		}
		m.pause(time.Second / 2)
	}
}

func (m *machine) on() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// alive says whether the machine is switched on, and its kernel and its systemd
// run. A machine that gets next to no CPU may end as the latter: systemd gives
// the programs that it starts first 90 seconds.
func (m *machine) alive() bool {
	console := m.console()
	return m.on() && !strings.Contains(console, "Kernel panic - not syncing") && !strings.Contains(console, "Freezing execution")
}

// pause waits, or less when the machine is switched off meanwhile.
func (m *machine) pause(d time.Duration) {
	select {
	case <-m.ended:
	case <-time.After(d):
	}
}

func (m *machine) console() string {
	text, _ := os.ReadFile(m.socket("console"))
	return string(text[max(0, len(text)-8<<10):])
}

// end is the cleanup: it tells what a failed test has to be understood by.
func (m *machine) end() {
	if m.Failed() && m.on() && m.agent != nil {
		out, _, err := m.agent.exec("systemctl --no-pager --failed; journalctl --no-pager -b -n 150 -o short-monotonic; dockhostctl status; docker ps -a", time.Minute)
		m.Logf("the machine says (%v):\n%s\nthe console:\n%s", err, out, m.console())
	}
	m.cutPower()
}

// cutPower switches the machine off as if it were unplugged.
func (m *machine) cutPower() {
	if !m.on() {
		return
	}
	if err := quit(m.socket("qmp")); err != nil {
		_ = m.qemu.Process.Kill()
	}
	<-m.ended
}

// shutDown has systemd switch the machine off.
func (m *machine) shutDown() {
	m.Helper()
	_, _, _ = m.agent.exec("systemctl poweroff", time.Minute) // may end before it answers
	select {
	case <-m.ended:
	case <-time.After(patience):
		m.Fatalf("not switched off; the console:\n%s", m.console())
	}
}

// reboot has systemd reboot the machine, and returns when it is up again.
func (m *machine) reboot() {
	m.Helper()
	before := m.run("cat /proc/sys/kernel/random/boot_id")
	_, _, _ = m.agent.exec("systemctl reboot", time.Minute) // may end before it answers
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); m.pause(time.Second) {
		m.connect()
		if id, code, err := m.agent.exec("cat /proc/sys/kernel/random/boot_id", time.Minute); err == nil && code == 0 && strings.TrimSpace(id) != before {
			return
		}
	}
	m.Fatalf("not rebooted; the console:\n%s", m.console())
}

// try runs a shell script in the machine, and returns its output and status.
func (m *machine) try(script string) (string, int) {
	m.Helper()
	out, code, err := m.agent.exec(script, patience)
	if err != nil {
		m.Fatalf("guest agent: %v; the console:\n%s", err, m.console())
	}
	return out, code
}

// run is try for a script that must succeed; it trims what is printed.
func (m *machine) run(script string) string {
	m.Helper()
	out, code := m.try("set -e\n" + script)
	if code != 0 {
		m.Fatalf("in the machine: %s\nexited %d: %s", script, code, out)
	}
	return strings.TrimSpace(out)
}

// property is one of systemd's for a unit.
func (m *machine) property(unit, name string) string {
	m.Helper()
	return m.run("systemctl show --value -p " + name + " " + unit)
}

// eventually waits until a condition holds; it returns "", or what is amiss.
func (m *machine) eventually(condition func() string) {
	m.Helper()
	deadline := time.Now().Add(patience)
	for {
		amiss := condition()
		if amiss == "" {
			return
		}
		if !m.alive() || time.Now().After(deadline) {
			m.Fatalf("still: %s", amiss)
		}
		m.pause(3 * time.Second) // what asks takes a CPU its time, too
	}
}

// status is what dockhostctl has, and its exit status.
func (m *machine) status() (*api.Status, int) {
	m.Helper()
	out, code := m.try("dockhostctl status --json")
	var status api.Status
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return &api.Status{}, max(code, 1)
	}
	return &status, code
}

// well waits until all is well and app is ready, in the version named.
func (m *machine) well(version string) *api.Status {
	m.Helper()
	var status *api.Status
	m.eventually(func() string {
		var code int
		if status, code = m.status(); code != 0 {
			return fmt.Sprintf("dockhostctl status exits with %d: %+v", code, status)
		}
		if len(status.Containers) != 1 || status.Containers[0].Name != "app" {
			return fmt.Sprintf("containers: %+v", status.Containers)
		}
		return m.serves(version)
	})
	return status
}

// serves is "" when app answers in that version.
func (m *machine) serves(version string) string {
	m.Helper()
	env, code := m.try("docker inspect -f '{{json .Config.Env}}' app && curl -fsS -m 5 -o /dev/null http://127.0.0.1:8080/healthz")
	if code != 0 || !strings.Contains(env, `"APP_VERSION=`+version+`"`) {
		return "app in version " + version + " does not serve: " + env
	}
	return ""
}

// quit ends qemu at once: nothing in the machine hears of it.
func quit(socket string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := dial(ctx, socket)
	if err != nil {
		return err
	}
	defer conn.close()
	if _, err := conn.read(); err != nil { // the greeting
		return err
	}
	for _, command := range []string{"qmp_capabilities", "quit"} {
		if _, err := conn.call(command, nil); err != nil && !errors.Is(err, errClosed) {
			return err
		}
	}
	return nil
}
