# An EC2 instance that runs a container by dockhost: docs/aws.md.
#
#   terraform init && terraform apply -var ami=ami-... -var subnet=subnet-... -var image=...
#
# The state holds the user data: keep passwords out of it, as here, where the instance's role is the login.

terraform {
  required_version = ">= 1.5.0"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "ami" {
  type        = string
  description = "The image that packaging/packer made. Another one replaces the instance."
}

variable "subnet" {
  type        = string
  description = "The subnet of the instance, which leads to the registry."
}

variable "image" {
  type        = string
  default     = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1.4"
  description = "The container image, in a registry of ECR."
}

variable "port" {
  type        = number
  default     = 80
  description = "The port of the instance that the container is reached at."
}

variable "clients" {
  type        = list(string)
  default     = ["10.0.0.0/8"]
  description = "Who may reach it."
}

locals {
  user_data = templatefile("${path.module}/user-data.tftpl", {
    image    = var.image
    port     = var.port
    registry = split("/", var.image)[0]
  })
}

resource "aws_instance" "web" {
  ami                    = var.ami
  instance_type          = "t3.small"
  subnet_id              = var.subnet
  vpc_security_group_ids = [aws_security_group.web.id]
  iam_instance_profile   = aws_iam_instance_profile.web.name
  tags                   = { Name = "web" }

  # EC2 changes user data of stopped instances alone, so that Terraform stops and starts the instance for a change. Its
  # id stays, and dockhost takes over what changed at the boot. true would make a new instance, with an empty disk.
  user_data                   = local.user_data
  user_data_replace_on_change = false

  # IMDSv2 alone, and not from containers on a bridge: neither user data nor the role's credentials are for them.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_size = 16
    volume_type = "gp3"
    encrypted   = true
  }
}

data "aws_subnet" "web" {
  id = var.subnet
}

resource "aws_security_group" "web" {
  name_prefix = "web-"
  vpc_id      = data.aws_subnet.web.vpc_id

  ingress {
    from_port   = var.port
    to_port     = var.port
    protocol    = "tcp"
    cidr_blocks = var.clients
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

# What the instance may do: pull from ECR.
resource "aws_iam_role" "web" {
  name_prefix = "web-"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "pull" {
  role       = aws_iam_role.web.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
}

resource "aws_iam_instance_profile" "web" {
  name_prefix = "web-"
  role        = aws_iam_role.web.name
}

output "address" {
  value = aws_instance.web.private_ip
}
