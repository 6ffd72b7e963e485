# An EC2 instance that runs a container by dockhost. See docs/aws.md.
#
#   terraform init && terraform apply -var ami=ami-... -var subnet=subnet-... -var image=...
#
# Terraform's state has the user data, so do not put passwords into it. This example logs in by the instance's role.

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
  description = "The image that packaging/packer has built. A change replaces the instance."
}

variable "subnet" {
  type        = string
  description = "The subnet of the instance, with a route to the registry."
}

variable "image" {
  type        = string
  default     = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1.4"
  description = "The container image in an ECR registry."
}

variable "port" {
  type        = number
  default     = 80
  description = "The port of the instance that the container listens on."
}

variable "clients" {
  type        = list(string)
  default     = ["10.0.0.0/8"]
  description = "The networks that may connect to the container."
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

  # EC2 changes user data only of stopped instances, so Terraform stops and starts the instance. The instance keeps its id
  # and its disk, and dockhost applies the change at the boot. With true Terraform would replace the instance.
  user_data                   = local.user_data
  user_data_replace_on_change = false

  # Only IMDSv2, and not for containers on a bridge: they must get neither user data nor the role's credentials.
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

# The instance may pull from ECR.
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
