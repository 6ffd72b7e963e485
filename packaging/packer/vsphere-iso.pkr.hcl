variable "vsphere_server" {
  type    = string
  default = ""
}

variable "vsphere_username" {
  type    = string
  default = ""
}

variable "vsphere_password" {
  type      = string
  default   = ""
  sensitive = true
}

variable "vsphere_datacenter" {
  type    = string
  default = ""
}

variable "vsphere_cluster" {
  type    = string
  default = ""
}

variable "vsphere_datastore" {
  type    = string
  default = ""
}

variable "vsphere_network" {
  type    = string
  default = "VM Network"
}

variable "debian_iso" {
  type        = string
  default     = ""
  description = "The address of Debian's netinst ISO, such as https://cdimage.debian.org/debian-cd/13.1.0/amd64/iso-cd/debian-13.1.0-amd64-netinst.iso."
}

variable "debian_iso_checksum" {
  type        = string
  default     = ""
  description = "The checksum of the ISO, or \"file:\" and the address of SHA512SUMS."
}

# A template. Its clones get user data in guestinfo.userdata, which dockhost reads by open-vm-tools.
source "vsphere-iso" "debian" {
  vcenter_server = var.vsphere_server
  username       = var.vsphere_username
  password       = var.vsphere_password
  datacenter     = var.vsphere_datacenter
  cluster        = var.vsphere_cluster
  datastore      = var.vsphere_datastore

  vm_name              = local.name
  guest_os_type        = "debian12_64Guest"
  CPUs                 = 2
  RAM                  = 2048
  disk_controller_type = ["pvscsi"]
  storage {
    disk_size             = 16384
    disk_thin_provisioned = true
  }
  network_adapters {
    network      = var.vsphere_network
    network_card = "vmxnet3"
  }

  iso_url      = var.debian_iso
  iso_checksum = var.debian_iso_checksum
  http_content = {
    "/preseed.cfg" = templatefile("${path.root}/preseed.cfg.pkrtpl", { password = local.password })
  }
  boot_wait    = "5s"
  boot_command = ["<esc><wait>auto priority=critical url=http://{{ .HTTPIP }}:{{ .HTTPPort }}/preseed.cfg<enter>"]

  ssh_username        = "packer"
  ssh_password        = local.password
  ssh_timeout         = "45m"
  shutdown_command    = "sudo sh -c 'passwd --lock packer; rm /etc/sudoers.d/packer; systemctl poweroff'"
  convert_to_template = true
}
