//go:build vm

// Package vm boots baked disk images in virtual machines, with a real kernel,
// udev, cgroup v2 with all controllers, reboots and power cuts. test/vm/run.sh
// makes the images and runs the package on each.
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
	image = flag.String("image", "", "`directory` of a disk image that test/vm/image.sh has made")
	cpu   = flag.String("cpu", "x86_64", "the machines' `processor`, as qemu names it: x86_64 or aarch64")
	accel = flag.String("accel", "tcg", "qemu's `accelerator`: tcg, or kvm where that works")
	cuts  = flag.Int("cuts", 10, "`number` of power cuts in each test that cuts the power")
	seed  = flag.Uint64("seed", 0, "`seed` of the moments of the power cuts; 0 picks one")
)

// patience bounds every wait. It is long, because software emulation on a busy
// machine is slow.
const patience = 10 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	if *image == "" {
		fmt.Println("skipped: no -image (run: make vm)")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// machine is a running virtual machine.
type machine struct {
	*testing.T
	dir   string
	qemu  *exec.Cmd
	ended chan struct{} // closed when qemu has exited
	agent *guestAgent
}

// settings configure a machine.
type settings struct {
	// disc is the image of the disc in the drive; "" means an empty drive.
	disc string
	// kernel has further arguments for the kernel.
	kernel string
	// clock is the initial time of the machine's clock; the zero time means now.
	clock time.Time
	// disks are the files of further disks by serial number. The machine sees them
	// as /dev/disk/by-id/virtio-SERIAL.
	disks map[string]string
	// cpus is the number of processors; "" means the default.
	cpus string
}

// newDisk returns a copy-on-write copy of the baked disk image.
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

// copyDisk returns a copy of the disk of a machine that is off.
func copyDisk(t *testing.T, disk string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "disk.qcow2")
	run(t, "cp", disk, copied)
	return copied
}

// newDisc returns a NoCloud disc for an instance with this id.
func newDisc(t *testing.T, instance, userData string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir+"/user-data", userData)
	write(t, dir+"/meta-data", "instance-id: "+instance+"\nlocal-hostname: vm\n")
	return newISO(t, "cidata", dir)
}

// newISO returns the image of a disc with the files of a directory.
func newISO(t *testing.T, label, dir string) string {
	t.Helper()
	iso := filepath.Join(t.TempDir(), "disc.iso")
	run(t, "genisoimage", "-quiet", "-volid", label, "-joliet", "-rock", "-follow-links", "-o", iso, dir)
	return iso
}

// newBlank returns an empty disk.
func newBlank(t *testing.T) string {
	t.Helper()
	blank := filepath.Join(t.TempDir(), "blank.raw")
	run(t, "truncate", "-s", "64M", blank)
	return blank
}

// run runs a program of the host, which must succeed.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// boot starts a machine, and returns once its guest agent answers. A test that
// fails prints the console and the journal.
func boot(t *testing.T, disk string, s settings) *machine {
	t.Helper()
	m := &machine{T: t, dir: t.TempDir(), ended: make(chan struct{})}
	m.qemu = exec.Command("qemu-system-"+*cpu, m.arguments(disk, s)...)
	m.qemu.Stderr = os.Stderr
	m.qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also when the tests are killed
	if err := m.qemu.Start(); err != nil {
		t.Fatalf("qemu: %v (test/vm/run.sh installs it)", err)
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
	model, cpus, board, console := "host", "2", "pc", "ttyS0"
	switch {
	case *accel != "tcg":
	case *cpu == "aarch64":
		model, cpus = "cortex-a72", "1"
	default:
		// With two emulated processors of qemu 7.2, guests panic now and then ("Oops: int3"): one processor executes code
		// of the kernel that the other has only half patched.
		model, cpus = "Nehalem,cx16=off", "1"
	}
	if *cpu == "aarch64" {
		board, console = "virt", "ttyAMA0"
	}
	if s.cpus != "" {
		cpus = s.cpus
	}
	base := func(name string) string { return filepath.Join(*image, name) }
	kernel := "root=/dev/vda rw console=" + console + " mitigations=off audit=0 loglevel=4 systemd.show_status=error " +
		"random.trust_cpu=on tsc=reliable " + s.kernel
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-M", board, "-accel", *accel, "-cpu", model, "-smp", cpus, "-m", "1G",
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
		// The machine's clock advances two nanoseconds per executed instruction. So time limits in the machine do not
		// depend on how busy the host is.
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

// on reports whether qemu runs.
func (m *machine) on() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// alive reports whether qemu runs and neither the kernel nor systemd has given up.
// systemd freezes if the first programs that it starts take more than 90 seconds,
// as on a host without free CPU time.
func (m *machine) alive() bool {
	console := m.console()
	return m.on() && !strings.Contains(console, "Kernel panic - not syncing") && !strings.Contains(console, "Freezing execution")
}

// pause waits for a time, or until qemu exits.
func (m *machine) pause(d time.Duration) {
	select {
	case <-m.ended:
	case <-time.After(d):
	}
}

// console returns the last 8 KiB of the console.
func (m *machine) console() string {
	text, _ := os.ReadFile(m.socket("console"))
	return string(text[max(0, len(text)-8<<10):])
}

// end is the cleanup. If the test has failed, it logs the machine's state.
func (m *machine) end() {
	if m.Failed() && m.on() && m.agent != nil {
		out, _, err := m.agent.exec("systemctl --no-pager --failed; journalctl --no-pager -b -n 150 -o short-monotonic; dockhostctl status; docker ps -a", time.Minute)
		m.Logf("state of the machine (%v):\n%s\nthe console:\n%s", err, out, m.console())
	}
	m.cutPower()
}

// cutPower ends the machine as if it were unplugged.
func (m *machine) cutPower() {
	if !m.on() {
		return
	}
	if err := quit(m.socket("qmp")); err != nil {
		_ = m.qemu.Process.Kill()
	}
	<-m.ended
}

// shutDown makes systemd power the machine off.
func (m *machine) shutDown() {
	m.Helper()
	_, _, _ = m.agent.exec("systemctl poweroff", time.Minute) // the agent may exit before it answers
	select {
	case <-m.ended:
	case <-time.After(patience):
		m.Fatalf("the machine did not power off; the console:\n%s", m.console())
	}
}

// reboot makes systemd reboot the machine, and returns once it is up again.
func (m *machine) reboot() {
	m.Helper()
	before := m.run("cat /proc/sys/kernel/random/boot_id")
	_, _, _ = m.agent.exec("systemctl reboot", time.Minute) // the agent may exit before it answers
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); m.pause(time.Second) {
		m.connect()
		if id, code, err := m.agent.exec("cat /proc/sys/kernel/random/boot_id", time.Minute); err == nil && code == 0 && strings.TrimSpace(id) != before {
			return
		}
	}
	m.Fatalf("the machine did not reboot; the console:\n%s", m.console())
}

// try runs a shell script in the machine, and returns its output and exit status.
func (m *machine) try(script string) (string, int) {
	m.Helper()
	out, code, err := m.agent.exec(script, patience)
	if err != nil {
		m.Fatalf("guest agent: %v; the console:\n%s", err, m.console())
	}
	return out, code
}

// run is try for a script that must succeed. It trims white space from the output.
func (m *machine) run(script string) string {
	m.Helper()
	out, code := m.try("set -e\n" + script)
	if code != 0 {
		m.Fatalf("in the machine: %s\nexits %d: %s", script, code, out)
	}
	return strings.TrimSpace(out)
}

// property returns a property of a systemd unit.
func (m *machine) property(unit, name string) string {
	m.Helper()
	return m.run("systemctl show --value -p " + name + " " + unit)
}

// eventually waits until check returns "", and not the problem.
func (m *machine) eventually(check func() string) {
	m.Helper()
	deadline := time.Now().Add(patience)
	for {
		problem := check()
		if problem == "" {
			return
		}
		if !m.alive() || time.Now().After(deadline) {
			m.Fatalf("waited %s: %s", patience, problem)
		}
		m.pause(3 * time.Second) // the check needs CPU time of the machine
	}
}

// status returns what `dockhostctl status --json` prints, and its exit status.
func (m *machine) status() (*api.Status, int) {
	m.Helper()
	out, code := m.try("dockhostctl status --json")
	var status api.Status
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return &api.Status{}, max(code, 1)
	}
	return &status, code
}

// well waits until the status is well and app is ready in this version.
func (m *machine) well(version string) *api.Status {
	m.Helper()
	var status *api.Status
	m.eventually(func() string {
		var code int
		if status, code = m.status(); code != 0 {
			return fmt.Sprintf("dockhostctl status exits %d: %+v", code, status)
		}
		if len(status.Containers) != 1 || status.Containers[0].Name != "app" {
			return fmt.Sprintf("containers = %+v, want app", status.Containers)
		}
		return m.serves(version)
	})
	return status
}

// serves returns "" if app answers in this version, otherwise the problem.
func (m *machine) serves(version string) string {
	m.Helper()
	env, code := m.try("docker inspect -f '{{json .Config.Env}}' app && curl -fsS -m 5 -o /dev/null http://127.0.0.1:8080/healthz")
	if code != 0 || !strings.Contains(env, `"APP_VERSION=`+version+`"`) {
		return "version " + version + " of app does not answer: " + env
	}
	return ""
}

// quit ends qemu at once, without notice to the machine.
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
